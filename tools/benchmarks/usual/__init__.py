"""What people build instead: pandas and a joblib'd scikit-learn pipeline, in an environment of its own. Never imported by the rest."""
