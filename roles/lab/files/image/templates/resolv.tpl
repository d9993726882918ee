{{ config_get("user.lab.resolv", "") }}
