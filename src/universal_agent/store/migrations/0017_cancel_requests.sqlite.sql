-- Why a run in execution is to end before its time. NULL: nobody asked for that.

ALTER TABLE runs ADD COLUMN cancel_reason TEXT;
