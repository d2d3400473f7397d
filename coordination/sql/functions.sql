-- Work lists of the sweeps: which projects have something due. Ids only; the work itself is done team by team
-- under row-level security.

CREATE OR REPLACE FUNCTION interlock_due_liveness() RETURNS TABLE (team_id uuid, project_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT p.team_id, p.id FROM tenants_project p
    WHERE p.idle_limit_s > 0 AND EXISTS (
        SELECT 1 FROM coordination_instance i
        WHERE i.team_id = p.team_id AND i.project_id = p.id AND i.ended_at IS NULL AND i.status <> 'gone'
          AND i.last_seen < clock_timestamp() - make_interval(secs => p.idle_limit_s))
$$;

-- Claims whose time is over, entries that wait, and held claims of holders that were silent too long.
CREATE OR REPLACE FUNCTION interlock_due_expiry() RETURNS TABLE (team_id uuid, project_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT c.team_id, c.project_id FROM coordination_claim c
    WHERE c.state = 'held' AND c.expires_at <= (SELECT clock_timestamp())
    UNION
    SELECT q.team_id, q.project_id FROM coordination_queueentry q WHERE q.state = 'waiting'
    UNION
    SELECT p.team_id, p.id FROM tenants_project p
    WHERE p.idle_limit_s > 0 AND EXISTS (
        SELECT 1 FROM coordination_instance i
        JOIN coordination_claim c ON c.team_id = i.team_id AND c.holder_id = i.id AND c.state = 'held'
        WHERE i.team_id = p.team_id AND i.project_id = p.id AND i.ended_at IS NULL
          AND i.last_seen < clock_timestamp() - make_interval(secs => p.idle_limit_s + p.grace_s))
$$;
