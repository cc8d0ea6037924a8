"""What runs the commands of the documentation."""
