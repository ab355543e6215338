"""Drawn pictures of which everything is known: questions about them, their answers, and who looked.

A scene is a grid of cells with things in some of them. The picture is drawn from it, and so are the
question, the answer, the reasoning of somebody who looks, and the verdict on what a policy says it
sees. Nothing is labelled by hand, and no two pictures with the same question are alike.
"""
