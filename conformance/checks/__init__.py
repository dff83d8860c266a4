"""What must hold: cases, bounds, laws. Each check runs on one target and gives one finding per quantity."""
