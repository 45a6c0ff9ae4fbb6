"""Digits of which some quadrants are given: how likely is the rest?"""
