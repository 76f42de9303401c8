"""Drop-ins for SciPy's functions: `import retrograd.scipy.special`."""
