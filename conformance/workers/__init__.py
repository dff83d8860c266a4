"""The judge's side of a runner: it is started, asked, timed, limited and restarted from here."""
