"""Where work runs: one worker process per framework, started, asked, timed and restarted from here."""
