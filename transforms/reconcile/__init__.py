"""The control totals by two routes, to the øre (CONTRACT section 5): by the posts, and by the stored documents.

Here: what reads the documents back shares no code with what wrote them; a test holds it. Not here: any figure that the
documents show.
"""
