"""Effective fields measured with torch: samples, estimators, the cone, gains."""
