"""The cache that may vanish: what it counts (sign-in attempts) is not worth refusing people for."""

import logging
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)


class ForgivingRedisCache(RedisCache):
    """Django's Redis cache which, while Redis is away, forgets instead of failing."""

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """The value, or ``default`` also when Redis is away."""
        return self._try(default, super().get, key, default, version)

    def set(self, key: Any, value: Any, *arguments: Any, **named: Any) -> None:
        """Keep a value, if Redis is there."""
        self._try(None, super().set, key, value, *arguments, **named)

    def add(self, key: Any, value: Any, *arguments: Any, **named: Any) -> bool:
        """Keep a value where there is none; true also when Redis is away, so nobody waits for a lock."""
        return bool(self._try(True, super().add, key, value, *arguments, **named))

    def delete(self, key: Any, version: int | None = None) -> bool:
        """Forget a value."""
        return bool(self._try(False, super().delete, key, version))

    @staticmethod
    def _try(otherwise: Any, call: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return call(*arguments, **named)
        except RedisError as error:
            log.warning("the cache is away: %s", type(error).__name__)
            return otherwise
