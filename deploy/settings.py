"""All settings, read from the environment; deploy/env.example documents each. Nothing is production-only."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from deploy.version import WHEEL_PATH

BASE_DIR = Path(__file__).resolve().parent.parent


def env(name: str, default: str | None = None) -> str:
    """A setting from the environment, or from the file that ``NAME_FILE`` names."""
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text().strip()
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"{name} is not set; see deploy/env.example, or start with `python3 manage.py up`")
    return value


def env_bool(name: str, *, default: bool) -> bool:
    """A yes/no setting."""
    return env(name, "1" if default else "0").lower() in ("1", "true", "yes", "on")


def env_int(name: str, default: int) -> int:
    """A whole-number setting, refused with its name when it is none."""
    text = env(name, str(default))
    try:
        return int(text)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {text!r}") from None


# What every connection of the application sets. The hot statements are written for the prefix index: they must not be
# planned anew each time (1.6 ms for the look at candidates), nor fall back to a scan while tables are small.
SESSION = {
    "lock_timeout": 3000,
    "statement_timeout": 30000,
    "idle_in_transaction_session_timeout": 60000,
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "jit": "off",
}


def database(url: str) -> dict[str, object]:
    """Django's DATABASES entry for a postgres:// URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ImproperlyConfigured("the database URL must start with postgresql://")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or 5432,
        "CONN_MAX_AGE": 0,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {
            # Threads of the hot doors keep their connection; Django's own requests borrow one (ADR 0004).
            "pool": {"min_size": 0, "max_size": env_int("DATABASE_POOL", 40), "timeout": 3},
            "prepare_threshold": 3,
            "options": " ".join(f"-c {name}={value}" for name, value in SESSION.items()),
            "application_name": env("INTERLOCK_PROCESS", "interlock"),
        },
    }


AS_OWNER = env("INTERLOCK_DATABASE_ROLE", "app") == "owner"
DATABASE_URL = env("DATABASE_URL", "postgresql://interlock_app@127.0.0.1:5432/interlock")
MIGRATE_DATABASE_URL = env("MIGRATE_DATABASE_URL", "")
DATABASES = {"default": database(MIGRATE_DATABASE_URL if AS_OWNER and MIGRATE_DATABASE_URL else DATABASE_URL)}
APP_DATABASE_ROLE = unquote(urlsplit(DATABASE_URL).username or "")
# The one listening connection of each process goes straight to Postgres, past a transaction-mode pooler.
LISTEN_DATABASE_URL = env("LISTEN_DATABASE_URL", DATABASE_URL)
if AS_OWNER:  # migrations may take as long as they need
    DATABASES["default"]["OPTIONS"] = {}
REDIS_URL = env("REDIS_URL", "redis://127.0.0.1:6379/0")

# Anybody can read this one, so it signs nothing: the web process does not start with it (deploy/asgi.py).
PUBLIC_KEY = "insecure-only-for-tools-that-serve-nothing"
SECRET_KEY = env("SECRET_KEY", PUBLIC_KEY)
DEBUG = env_bool("DEBUG", default=False)
BASE_URL = env("BASE_URL", "http://127.0.0.1:8000").rstrip("/")
WHEEL_URL = BASE_URL + WHEEL_PATH
_HOST = urlsplit(BASE_URL).hostname or "localhost"
ALLOWED_HOSTS = [h for h in env("ALLOWED_HOSTS", f"{_HOST},localhost,127.0.0.1,[::1]").split(",") if h]
CSRF_TRUSTED_ORIGINS = [BASE_URL]
# Pages of other origins that may speak MCP from a browser; whatever is no browser sends no Origin.
MCP_ORIGINS = [origin.rstrip("/") for origin in env("MCP_ORIGINS", "").split(",") if origin]
HTTPS = BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_SSL_REDIRECT = False
X_FRAME_OPTIONS = "DENY"
# Behind a proxy of yours: believe its X-Forwarded-For and X-Forwarded-Proto.
TRUST_PROXY = env_bool("TRUST_PROXY", default=False)
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "daphne",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "rest_framework",
    "dashboard",  # before allauth, whose templates it replaces
    "allauth",
    "allauth.account",
    "tenants",
    "coordination",
    "mcp_gateway",
]
# Pages of docs/ that apps make from their own code: what `manage.py docs` writes, and checks.
DOCUMENTS: dict[str, str] = {
    "command.md": "mcp_gateway.agent.reference.document",
    "generated/tools.md": "mcp_gateway.reference.document",
}
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "dashboard.middleware.SecurityPolicyMiddleware",
]
ROOT_URLCONF = "deploy.urls"
ASGI_APPLICATION = "deploy.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
STATIC_ROOT = env("STATIC_ROOT", "") or None  # an image collects static files; a checkout serves them in place
WHITENOISE_USE_FINDERS = True
LANGUAGE_CODE = "en-gb"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "tenants.Person"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "dashboard.accounts.AccountAdapter"
ACCOUNT_FORMS = {
    "login": "dashboard.accounts.SignInForm",
    "signup": "dashboard.accounts.SignUpForm",
    "reset_password": "dashboard.accounts.ResetPasswordForm",
    "reset_password_from_key": "dashboard.accounts.ResetPasswordKeyForm",
    "change_password": "dashboard.accounts.ChangePasswordForm",
}
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = env("ACCOUNT_EMAIL_VERIFICATION", "none")
ACCOUNT_RATE_LIMITS = {"login_failed": "5/m/ip,10/15m/key"}
OPEN_SIGNUP = env_bool("OPEN_SIGNUP", default=False)
LOGIN_URL = "/sign-in/"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/sign-in/"
EMAIL_BACKEND = env("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}]},
    }
}
CACHES = {"default": {"BACKEND": "deploy.cache.ForgivingRedisCache", "LOCATION": REDIS_URL}}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": None,
}

# The hot doors (ADR 0004): how many threads, and how many of them one team or project may hold at once.
HOT_THREADS = env_int("HOT_THREADS", 8)
HOT_THREADS_PER_TEAM = env_int("HOT_THREADS_PER_TEAM", max(1, HOT_THREADS - 2))
HOT_THREADS_IN_COMPANY = env_int("HOT_THREADS_IN_COMPANY", max(1, HOT_THREADS // 4))
MAX_BODY_BYTES = env_int("MAX_BODY_BYTES", 2 * 1024 * 1024)
# How often an address, or the beginning of a token, may fail to authenticate in a minute; open event streams of a team.
AUTH_FAILURES_PER_MINUTE = env_int("AUTH_FAILURES_PER_MINUTE", 20)
STREAMS_PER_TEAM = env_int("STREAMS_PER_TEAM", 2000)
# Requests a second of one team and of one token, with three seconds' worth of burst; 0 = no limit.
RATE_LIMIT_TEAM = env_int("RATE_LIMIT_TEAM", 400)
RATE_LIMIT_TOKEN = env_int("RATE_LIMIT_TOKEN", 200)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env("LOG_LEVEL", "WARNING")},
}
