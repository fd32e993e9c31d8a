-- A role for the web workers that may neither change nor delete what is only ever added. The triggers refuse that to
-- everyone; who owns the tables could still switch them off, and this role can't.
--
-- Once, and again after each upgrade, as the owner of the tables (the role of flask setup and flask jobs):
--     createuser --pwprompt trace_web
--     psql -v web=trace_web -f deploy/postgresql/roles.sql trace
-- Then WEB_DATABASE_URL names trace_web; setup, jobs, backup and restore keep the owner of DATABASE_URL.
GRANT USAGE ON SCHEMA public TO :"web";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :"web";
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO :"web";
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"web";
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO :"web";
-- Of these nothing is ever changed.
REVOKE UPDATE, DELETE ON
    audit_events, batch_revisions, collected_commitments, feedback_replies, household_consents,
    laboratory_answers, lot_moves, recall_exclusions, recall_filings, recall_notices, recall_reports,
    recall_task_lots, receipt_lines, receipts, record_batches, record_clips, record_ingredients, record_photos,
    record_series, record_withdrawals, records, reference_checks, site_tenures, test_orders, test_reports, test_results,
    voided_labels, waivers, weighings
    FROM :"web";
-- Of these some columns are filled in later.
REVOKE DELETE ON
    clips, commitment_certificates, password_slips, recall_batches, recall_proposals, shipments, suggestions
    FROM :"web";
