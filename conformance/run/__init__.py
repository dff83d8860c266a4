"""A run: what is planned, how it is carried out, resumed and watched."""
