"""Every sentence and picture of this program: a Plan in words, a trace as a story. Pure.

The other packages return values; here words are put to them, once, and nothing reads those words back.
"""
