"""What follows the loop: it is called on the thread of the loop with each change and each sync."""
