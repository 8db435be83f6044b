"""Records to figures and pages: a pure function of a run folder or a sweep folder."""
