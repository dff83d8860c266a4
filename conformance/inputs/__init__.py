"""What is fed to the implementations: adversarial families, the Hypothesis strategy over them, and shrinking."""
