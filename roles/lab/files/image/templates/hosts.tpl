{{ config_get("user.lab.hosts", "") }}
