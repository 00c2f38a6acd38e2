-- Why a run failed (domain/ending.py), and until when the service asked not to be called.

ALTER TABLE runs ADD COLUMN end_class TEXT;
ALTER TABLE runs ADD COLUMN end_until REAL;
