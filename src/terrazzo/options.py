"""What every table of options shares: frozen, validated, unknown keys refused."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """One table of the recipe. Each field carries its type, default, bounds and help, and is written only once."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="strings")
