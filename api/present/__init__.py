"""From the domain to the objects of the schema: plain dictionaries, under its names."""
