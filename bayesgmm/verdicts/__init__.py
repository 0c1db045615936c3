"""The verdict on a posterior, and the table of evidence on convergence, modes and labels."""
