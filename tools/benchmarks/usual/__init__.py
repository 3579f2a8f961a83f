"""The common alternative: pandas and a joblib'd scikit-learn pipeline.

It runs in an environment of its own. No other module imports it.
"""
