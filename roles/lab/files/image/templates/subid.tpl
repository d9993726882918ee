{{ config_get("user.lab.subid", "") }}
