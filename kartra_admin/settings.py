"""Settings, from the environment only. ``.env.example`` lists every variable.

Any variable may also be given as ``NAME_FILE``, a path to a file that holds the value. A missing or weak value stops
the start with one sentence (``checks.py`` and ``_required`` below). With ``DEMO=true`` the secrets that are missing are
made up once and kept under ``DATA_DIR``, and every page says so.
"""

import secrets
from pathlib import Path
from urllib.parse import urlsplit

import environ
from cryptography.fernet import Fernet
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from huey.serializer import SignedSerializer

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.FileAwareEnv()
environ.Env.read_env(BASE_DIR / ".env")

DEMO = env.bool("DEMO", default=False)
DEBUG = env.bool("DEBUG", default=False)
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var")))
DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)


def _required(name: str, *, demo: str) -> str:
    """The variable's value; in demo mode ``demo``, made once and kept in ``DATA_DIR``."""
    value: str = env.str(name, default="")
    if value:
        return value
    if not DEMO:
        raise ImproperlyConfigured(f"{name} is not set. See .env.example for what it is and how to make one.")
    path = DATA_DIR / f"demo-{name.lower()}"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(demo)
    return path.read_text()


SECRET_KEY = _required("SECRET_KEY", demo=secrets.token_urlsafe(48))
CREDENTIAL_KEYS = [key for key in _required("CREDENTIAL_KEYS", demo=Fernet.generate_key().decode()).split(",") if key]
# Signs checkpoints of the audit log; each also goes to these places, which the desk cannot rewrite.
AUDIT_SIGNING_KEY = _required("AUDIT_SIGNING_KEY", demo=Fernet.generate_key().decode())
AUDIT_ANCHORS = [place.strip() for place in env.list("AUDIT_ANCHORS", default=[])]
AUDIT_CHECKPOINT_ENTRIES = env.int("AUDIT_CHECKPOINT_ENTRIES", default=1000)
AUDIT_CHECKPOINT_MINUTES = env.int("AUDIT_CHECKPOINT_MINUTES", default=60)
SITE_URL = env.str("SITE_URL", default="http://127.0.0.1:8000")
SITE = urlsplit(SITE_URL)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[SITE.hostname or "127.0.0.1", "127.0.0.1", "localhost"])
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)
CSRF_TRUSTED_ORIGINS = [f"{SITE.scheme}://{SITE.netloc}"]

# Kartra

KARTRA_API_URL = env.str("KARTRA_API_URL", default="sandbox:" if DEMO else "https://app.kartra.com/api")
KARTRA_APP_ID = env.str("KARTRA_APP_ID", default="SANDBOXAPP" if KARTRA_API_URL == "sandbox:" else "")
KARTRA_CALLS_PER_SECOND = env.int("KARTRA_CALLS_PER_SECOND", default=20)
KARTRA_TIMEOUT = env.float("KARTRA_TIMEOUT", default=30.0)

# Money

# Seconds between confirming a refund or a change of a subscription and sending it; 0 sends at once.
MONEY_HOLD = env.int("MONEY_HOLD", default=10)
# How often an unclear outcome is read for before it waits for a person, and over how many seconds.
SETTLE_READINGS = env.int("SETTLE_READINGS", default=3)
SETTLE_WITHIN = env.int("SETTLE_WITHIN", default=120)
# Minutes that the only approver's own approval waits, and can be taken back, before it runs.
LONE_APPROVER_COOLING = env.int("LONE_APPROVER_COOLING", default=15)

# Background work

# What a worker does at once, mostly waiting for Kartra; all but one of these may be at bulk jobs, so that money never
# waits behind them. A job has at most twelve leads in hand, so that its calls of 0.3 s use up twenty a second.
WORKER_THREADS = env.int("WORKER_THREADS", default=14)
# Bulk jobs of more leads than that wait until somebody else has approved them.
BULK_APPROVAL_ABOVE = env.int("BULK_APPROVAL_ABOVE", default=500)
# The share of all calls that may go into reading the directory again while nobody waits; 0 for none.
REFRESH_SHARE = env.float("REFRESH_SHARE", default=0.2)

# What is unusual

# Hours of the day, in TIME_ZONE, from when to when money is usually moved.
WORKING_HOURS = tuple(env.list("WORKING_HOURS", cast=int, default=[6, 22]))
# Numbers of the rules in leads/unusual.py, in place of their own: person=40,views=0. 0 switches a rule off.
UNUSUAL = env.dict("UNUSUAL", default={})

# What comes in

# Megabytes that an imported file may have.
IMPORT_MAX_MB = env.int("IMPORT_MAX_MB", default=50)
# Days for which Kartra's events are kept, and how many posts a minute are taken for one account.
EVENT_DAYS = env.int("EVENT_DAYS", default=90)
EVENTS_PER_MINUTE = env.int("EVENTS_PER_MINUTE", default=1200)

# People who are to be forgotten

# Days between asking for it and doing it, in which it can be taken back; 0 does it at once.
FORGET_AFTER_DAYS = env.int("FORGET_AFTER_DAYS", default=7)

# Django

INSTALLED_APPS = [
    "accounts",
    "leads",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.forms",  # its widgets are looked for among the project's templates
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "csp",
    "bulma",
    "django_htmx",
    "django_tasks",
    "lucide",
    "template_partials",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_permissions_policy.PermissionsPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "kartra_admin.middleware.RequestContextMiddleware",
    "kartra_admin.middleware.AppErrorMiddleware",
    "accounts.middleware.SessionGuardMiddleware",
]

ROOT_URLCONF = "kartra_admin.urls"
WSGI_APPLICATION = "kartra_admin.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
FORM_RENDERER = "kartra_admin.forms.FormRenderer"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "kartra_admin.context_processors.csp_nonce",
                "kartra_admin.context_processors.shell",
            ],
            "libraries": {"cached": "kartra_admin.cached_tags"},
        },
    },
]

# ATOMIC_REQUESTS stays off: an exception could erase the record of something that happened outside.
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # What is confirmed is on the disk: a power failure must not make a refund be forgotten that was sent. What is
        # deleted is overwritten, for people who are to be forgotten.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;",
    }
    # Closing the last connection tidies the whole log up and waits for the disk.
    DATABASES["default"]["CONN_MAX_AGE"] = 60
else:
    # Many threads share few connections: each is given back while Kartra is waited for (`leads.wiring`).
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": 20, "timeout": 20}
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

CACHES = {"default": env.cache("CACHE_URL", default="locmemcache://")}
if "Redis" in CACHES["default"]["BACKEND"]:
    CACHES["default"].setdefault("OPTIONS", {})["serializer"] = "kartra_admin.lib.cached.JSONSerializer"
if "LocMem" in CACHES["default"]["BACKEND"]:
    # Each email that a stranger types makes an entry. Of Django's 300 they would soon push the counts of others out.
    CACHES["default"].setdefault("OPTIONS", {}).setdefault("MAX_ENTRIES", 100_000)
# How many web processes there are: gunicorn starts so many, and ``checks.py`` says what they have to share.
WEB_CONCURRENCY = env.int("WEB_CONCURRENCY", default=1)

# Background work. The queue lies where the database lies: in PostgreSQL, or in a file of its own beside SQLite's.

TASKS = {
    "default": {
        "BACKEND": "huey.contrib.djhuey.tasks_backend.HueyBackend",
        "ENQUEUE_ON_COMMIT": True,
        "QUEUES": [],
    }
}
_database = DATABASES["default"]
if "postgresql" in _database["ENGINE"]:
    _queue_class = "huey.PostgresHuey"
    _queue_place = {
        "host": _database["HOST"],
        "port": _database["PORT"] or None,
        "dbname": _database["NAME"],
        "user": _database["USER"],
        "password": _database["PASSWORD"],
        "blocking": False,  # to be told of new work would take a second connection for each thread
        **{name: value for name, value in _database["OPTIONS"].items() if name != "pool"},
    }
else:
    _queue_class = "huey.SqliteHuey"
    _queue_place = {"filename": str(DATA_DIR / "queue.sqlite3"), "timeout": 20}
    (DATA_DIR / "queue.sqlite3").touch(mode=0o600)
HUEY = {
    "name": "kartra_admin",
    "huey_class": _queue_class,
    "connection": _queue_place,
    "immediate": False,
    # What is queued is pickled: signed, so that what others put there is not unpacked.
    "serializer": SignedSerializer(secret=SECRET_KEY, salt="kartra_admin.queue"),
    # SIGTERM lets what runs end first. An idle worker looks for work twice a second.
    "consumer": {"workers": WORKER_THREADS, "graceful_signal": "TERM", "max_delay": 0.5},
}

# Sign-in

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backend.StaffBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["email", "name"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    # Django's list holds the 20,000 passwords most often seen in breaches; a longer one of yours may take its place.
    {
        "NAME": "django.contrib.auth.password_validation.CommonPasswordValidator",
        "OPTIONS": {"password_list_path": env.str("PASSWORD_LIST")} if env.str("PASSWORD_LIST", default="") else {},
    },
    {"NAME": "accounts.passwords.OwnWordsValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "leads:home"
ACCOUNT_ADAPTER = "accounts.adapter.StaffAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "accounts.tokens.SetPasswordTokens"  # noqa: S105
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300  # seconds for which money, credentials and staff do not ask again who it is
ACCOUNT_PREVENT_ENUMERATION = "strict"
ACCOUNT_FORMS = {
    "reset_password": "accounts.forms.sign_in.ForgottenForm",
    "change_password": "accounts.forms.sign_in.ChangePasswordForm",
}
# Failed sign-ins: by address, and by the email that was typed, whether it is anybody's or not.
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}
PASSWORD_RESET_TIMEOUT = 60 * 60 * 24 * 3

# The second factor. In the demo nobody needs one, so that the printed people can sign in.
SECOND_FACTOR_ROLES = env.list("SECOND_FACTOR_ROLES", default=[] if DEMO else ["support", "manager", "admin"])
MFA_ADAPTER = "accounts.factors.StaffMFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_TOLERANCE = 0  # half minutes by which a code may be early or late
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "required"  # the finger or PIN: with the thing itself, two factors
MFA_REAUTHENTICATION_REQUIRED = False  # our own step-up stands before its pages: accounts/views/factors.py
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_RATE_LIMITS = {"webauthn_question": "20/m/ip"}  # beside allauth's own
MFA_FORMS = {
    "authenticate": "accounts.forms.factors.CodeForm",
    "reauthenticate": "accounts.forms.factors.ConfirmCodeForm",
    "activate_totp": "accounts.forms.factors.ActivateForm",
    "authenticate_webauthn": "accounts.forms.factors.PasskeyForm",
    "login_webauthn": "accounts.forms.factors.PasskeyAloneForm",
    "reauthenticate_webauthn": "accounts.forms.factors.ConfirmPasskeyForm",
    "add_webauthn": "accounts.forms.factors.AddPasskeyForm",
}

# How long a sign-in lasts: at most, and without anything being done.
SESSION_HOURS = env.int("SESSION_HOURS", default=12)
SESSION_IDLE_MINUTES = env.int("SESSION_IDLE_MINUTES", default=60)
SESSION_COOKIE_AGE = 60 * 60 * SESSION_HOURS
# Roles that may be used from some addresses only: "admin=10.0.0.0/8,2001:db8::/32; manager=192.0.2.7"
ROLE_ADDRESSES = env.str("ROLE_ADDRESSES", default="")

# Mail: links to set a password, and checkpoints of the audit log. By default it is written to the console.
vars().update(env.email("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default=f"Kartra Admin <no-reply@{SITE.hostname}>")
EMAIL_TIMEOUT = 10  # seconds, for each answer of the mail server

# Browser security

_HTTPS = SITE.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
if _HTTPS:  # set by this host alone, for this host alone, over HTTPS alone
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
MESSAGE_STORAGE = "kartra_admin.messages.SealedStorage"
SECURE_SSL_REDIRECT = _HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _HTTPS else None
SECURE_HSTS_SECONDS = 31536000 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "kartra_admin.views.csrf_failure"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [NONCE],  # nor what lies on this host: only what a page itself asked for
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "report-uri": ["/csp-report/"],
        "report-to": ["csp"],
        **({"upgrade-insecure-requests": True} if _HTTPS else {}),
    }
}
_NEVER = (
    "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen",
    "geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi",
    "payment", "picture-in-picture", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking",
)  # fmt: skip
PERMISSIONS_POLICY: dict[str, list[str]] = {
    **{name: [] for name in _NEVER},
    **{name: ["self"] for name in ("publickey-credentials-create", "publickey-credentials-get")},
}

DEFAULT_EXCEPTION_REPORTER_FILTER = "kartra_admin.debug.HidingFilter"

# Words, times, files

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
STATIC_URL = "static/"
STATIC_ROOT = None if DEMO or DEBUG else BASE_DIR / "staticfiles"  # collected, unless served where they lie
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEMO or DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = DEMO or DEBUG


def WHITENOISE_ADD_HEADERS_FUNCTION(headers: dict[str, str], path: str, url: str) -> None:  # noqa: N802
    """Files are for this desk's own pages only."""
    headers["Cross-Origin-Resource-Policy"] = "same-origin"


# What follows these is a secret, to the end of the line, for a mail program may have put anything into a link.
_SECRET_ADDRESSES = r"(?:(?<=/hooks/)|(?<=/new-password/)).+"  # noqa: S105
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {"secret_addresses": {"()": "kartra_admin.lib.redact.Hiding", "pattern": _SECRET_ADDRESSES}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["secret_addresses"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "fido2": {"level": "WARNING"},
        "huey": {"handlers": ["console"], "level": "WARNING", "propagate": False},
    },
}
