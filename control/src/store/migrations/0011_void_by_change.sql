-- Which change of package made an announced price void: it stands again when that one is taken back, and no other.
ALTER TABLE price_changes ADD COLUMN voided_by INTEGER REFERENCES actions (id);
UPDATE price_changes SET voided_by = (
    SELECT max(a.id) FROM actions a
    WHERE a.server_id = price_changes.server_id AND a.command = 'change_package' AND a.status IN ('queued', 'running')
        AND a.created_at = price_changes.ended_at)
WHERE ended = 'void' AND lease_id IS NULL;
DROP INDEX price_changes_void;
CREATE INDEX price_changes_voided_by ON price_changes (voided_by) WHERE voided_by IS NOT NULL;
