{{ config_get("user.lab.interfaces", "") }}
