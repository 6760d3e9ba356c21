"""What the program tells about itself: logs, and later metrics and health."""
