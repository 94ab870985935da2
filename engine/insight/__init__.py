"""What people see of it: figures, reports, who read what, and for how long it is kept."""
