"""One folder for each CRM, with all that is known of it; beside them what they share."""

from pathlib import Path
from pkgutil import extend_path

# A connector can also be kept elsewhere, as `connectors/<crm>` in any folder on the path. Where that `connectors` is a
# package of its own, it is somebody else's who has the same name, and is not looked into.
__path__[1:] = [place for place in extend_path(__path__, __name__)[1:] if not Path(place, "__init__.py").exists()]
