"""Two profiles: 50 examples, always the same ones, and the 1,000 of `make fuzz`, new ones in every run."""

from hypothesis import HealthCheck, settings

COMMON = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("default", max_examples=50, derandomize=True, **COMMON)
settings.register_profile("slow", max_examples=1000, derandomize=False, print_blob=True, **COMMON)
settings.load_profile("default")  # pytest loads another one after this: --hypothesis-profile=slow
