"""The statements that count what is there of a workspace."""

RECORDS = """
SELECT 'CONTACT' AS record_type, count(*) AS records, count(archived_at) AS archived FROM contact t
WHERE t.workspace_id = %(workspace)s
UNION ALL SELECT 'ORGANIZATION', count(*), count(archived_at) FROM organization t WHERE t.workspace_id = %(workspace)s
UNION ALL SELECT 'DEAL', count(*), count(archived_at) FROM deal t WHERE t.workspace_id = %(workspace)s
UNION ALL SELECT 'ACTIVITY', count(*), count(archived_at) FROM activity t WHERE t.workspace_id = %(workspace)s
"""
"""Unified records by type; archived ones are counted in both."""

SOURCES = """
SELECT i.id, i.crm, i.display_name, i.status, i.last_synced_at,
  s.external_type, s.record_type, s.sources, s.deleted, s.records
FROM integration i LEFT JOIN LATERAL (
  SELECT external_type, record_type, count(*) AS sources, count(deleted_at) AS deleted, count(DISTINCT record_id) AS records
  FROM source_record s WHERE s.workspace_id = %(workspace)s AND s.integration_id = i.id GROUP BY external_type, record_type
) s ON true
WHERE i.workspace_id = %(workspace)s AND i.leaving_at IS NULL AND i.same_as IS NULL AND i.status <> 'PENDING'
ORDER BY i.crm, i.display_name, i.id, s.external_type
"""
"""Sources by integration and the CRM's own type; an integration without any has one row."""

PROVEN = """
SELECT DISTINCT ON (integration_id) integration_id, completed_at, attestation FROM sync_run
WHERE workspace_id = %(workspace)s AND kind = 'FULL' AND status IN ('SUCCEEDED', 'PARTIAL') AND NOT is_dry_run
AND attestation <> '[]' ORDER BY integration_id, completed_at DESC
"""
"""What the last FULL of each integration has proven."""
