{{ config_get("user.lab.authorized", "") }}
