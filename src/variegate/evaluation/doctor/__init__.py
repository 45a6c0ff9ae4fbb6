"""Is a run healthy?"""
