"""The texts of the project, and what keeps their examples true."""
