"""The verifiers that come with the project: a file each, its name the verifier's."""
