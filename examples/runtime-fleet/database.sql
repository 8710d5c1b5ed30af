-- What the store of this folder needs: the table, the reader's role, and a trigger that tells of changes.
CREATE TABLE public.global_settings (
    key text PRIMARY KEY,
    value text,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Give it a password: ALTER ROLE penstock PASSWORD '…'
CREATE ROLE penstock LOGIN CONNECTION LIMIT 20;
ALTER ROLE penstock SET default_transaction_read_only = on;
GRANT USAGE ON SCHEMA public TO penstock;
GRANT SELECT (key, value, updated_at) ON public.global_settings TO penstock;

-- Once per statement, and without any value: every role that listens sees what is sent.
CREATE FUNCTION public.global_settings_changed() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('global_settings', ''); RETURN NULL; END $$;
CREATE TRIGGER global_settings_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON public.global_settings
    FOR EACH STATEMENT EXECUTE FUNCTION public.global_settings_changed();
