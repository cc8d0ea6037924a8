"""How a table is addressed, where its parts lie, and how its files are found."""
