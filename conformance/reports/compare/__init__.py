"""Advice for who ports training code from one framework to another, made from results files and specs only.

``sides`` chooses what is compared, ``advice`` is the model, ``compare`` brings the topics together, ``render`` shows them.
"""
