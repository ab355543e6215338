"""The tools that come with the project: a file each, its name the tool's."""
