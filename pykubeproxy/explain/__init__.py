"""Every sentence and picture of this program: a Plan in words, a trace in words and as a drawing. Pure.

The other packages return values; here words are put to them, once, and nothing reads those words back.
"""
