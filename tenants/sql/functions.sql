-- What may be asked before a team is known. Owned by the owner of the tables, so they see past row-level security;
-- each answers one narrow question. tenants.isolation installs them again after every migration.

-- A token by the digest of its secret, with the slugs of what it is bound to.
CREATE OR REPLACE FUNCTION interlock_token(wanted bytea)
RETURNS TABLE (id uuid, team_id uuid, team_slug text, name text, kind text, permissions text[], project_id uuid,
               agent text, expires_at timestamptz, revoked_at timestamptz, now timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT t.id, t.team_id, m.slug::text, t.name::text, t.kind::text, t.permissions::text[], t.project_id,
           t.agent::text, t.expires_at, t.revoked_at, clock_timestamp()
    FROM tenants_token t JOIN tenants_team m ON m.id = t.team_id
    WHERE t.digest = wanted
$$;

-- The teams a person belongs to.
CREATE OR REPLACE FUNCTION interlock_teams_of(person bigint)
RETURNS TABLE (team_id uuid, slug text, name text, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT t.id, t.slug::text, t.name::text, m.role::text
    FROM tenants_membership m JOIN tenants_team t ON t.id = m.team_id
    WHERE m.person_id = person ORDER BY t.slug
$$;

-- Whether a team's name is taken (sign-up and the operator command ask this).
CREATE OR REPLACE FUNCTION interlock_team_slug_taken(wanted text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT EXISTS (SELECT 1 FROM tenants_team WHERE slug = wanted)
$$;

-- Streams of the ledger with events that nobody has published yet: the backstop's to-do list.
CREATE OR REPLACE FUNCTION interlock_unpublished() RETURNS TABLE (team_id uuid, project_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT DISTINCT e.team_id, e.project_id FROM tenants_event e WHERE e.seq IS NULL
$$;

-- The oldest team with its oldest project and owner, or no row when there is no team at all (bootstrap_team asks this).
CREATE OR REPLACE FUNCTION interlock_first_team() RETURNS TABLE (team text, project text, owner_email text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT t.slug::text,
           (SELECT p.slug::text FROM tenants_project p WHERE p.team_id = t.id ORDER BY p.id LIMIT 1),
           (SELECT r.email::text FROM tenants_membership m JOIN tenants_person r ON r.id = m.person_id
            WHERE m.team_id = t.id AND m.role = 'owner' ORDER BY m.id LIMIT 1)
    FROM tenants_team t ORDER BY t.created_at, t.id LIMIT 1
$$;

-- Teams with stored answers of idempotent requests that are older than their day.
CREATE OR REPLACE FUNCTION interlock_due_idempotency() RETURNS TABLE (team_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public AS $$
    SELECT DISTINCT r.team_id FROM tenants_idempotencyrecord r WHERE r.created_at < clock_timestamp() - interval '24 hours'
$$;
