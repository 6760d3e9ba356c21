"""What watches beside the loop, each in a thread of its own, and puts messages into the queue of the loop."""
