"""The resolvers, one file per subject."""
