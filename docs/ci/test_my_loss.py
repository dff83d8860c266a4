"""Beside your other tests: three lines, and what does not conform fails with the input that shows it."""

import subprocess, sys
def test_my_loss_is_the_mean_squared_error():
    subprocess.run([sys.executable, "-m", "conformance", "run", "--subject", "my_loss.py", "--dtype", "float32"], check=True)
