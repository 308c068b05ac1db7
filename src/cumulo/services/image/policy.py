"""Who may do what with images, by Glance's names."""

_OWNER = "rule:context_is_admin or (role:member and project_id:%(project_id)s)"
_SEEN = (
    "(project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s "
    "or 'public':%(visibility)s or 'shared':%(visibility)s)"
)
_OWNER_OR_MEMBER = (
    "rule:context_is_admin or role:reader and "
    "(project_id:%(project_id)s or project_id:%(member_id)s)"
)
_METADEF = (
    "rule:context_is_admin or "
    "(role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))"
)

RULES: dict[str, str] = {
    "context_is_admin": "role:admin",
    "service_api": "role:service or role:admin",
    "add_image_location": (
        "rule:service_api or (role:member and project_id:%(project_id)s and project_id:%(owner)s)"
    ),
    "fetch_image_location": "rule:service_api",
    "cache_clean": "rule:context_is_admin",
    "cache_delete": "rule:context_is_admin",
    "cache_image": "rule:context_is_admin",
    "cache_list": "rule:context_is_admin",
    "cache_prune": "rule:context_is_admin",
    "list_cached_nodes": "rule:context_is_admin",
    "add_image": (
        "rule:context_is_admin or "
        "(role:member and project_id:%(project_id)s and project_id:%(owner)s)"
    ),
    "get_image": f"rule:context_is_admin or (role:reader and {_SEEN})",
    "get_images": "rule:context_is_admin or (role:reader and project_id:%(project_id)s)",
    "modify_image": _OWNER,
    "delete_image": _OWNER,
    "publicize_image": "rule:context_is_admin",
    "communitize_image": _OWNER,
    "upload_image": _OWNER,
    "download_image": f"rule:context_is_admin or (role:member and {_SEEN})",
    "copy_image": "rule:context_is_admin",
    "delete_image_location": "rule:context_is_admin",
    "deactivate": _OWNER,
    "reactivate": _OWNER,
    "add_member": _OWNER,
    "delete_member": _OWNER,
    "get_member": _OWNER_OR_MEMBER,
    "get_members": _OWNER_OR_MEMBER,
    "modify_member": "rule:context_is_admin or (role:member and project_id:%(member_id)s)",
    "stores_info_detail": "rule:context_is_admin or rule:service_api",
    "tasks_api_access": "rule:context_is_admin",
    "metadef_admin": "rule:context_is_admin",
    "get_metadef_namespaces": (
        "rule:context_is_admin or (role:reader and project_id:%(project_id)s)"
    ),
    "get_metadef_namespace": _METADEF,
    "get_metadef_object": _METADEF,
    "get_metadef_objects": _METADEF,
    "get_metadef_property": _METADEF,
    "get_metadef_properties": _METADEF,
    "get_metadef_tag": _METADEF,
    "get_metadef_tags": _METADEF,
    "get_metadef_resource_type": _METADEF,
    "list_metadef_resource_types": _METADEF,
    "add_metadef_namespace": "rule:metadef_admin",
    "modify_metadef_namespace": "rule:metadef_admin",
    "delete_metadef_namespace": "rule:metadef_admin",
    "add_metadef_object": "rule:metadef_admin",
    "modify_metadef_object": "rule:metadef_admin",
    "delete_metadef_object": "rule:metadef_admin",
    "add_metadef_property": "rule:metadef_admin",
    "modify_metadef_property": "rule:metadef_admin",
    "remove_metadef_property": "rule:metadef_admin",
    "add_metadef_tag": "rule:metadef_admin",
    "add_metadef_tags": "rule:metadef_admin",
    "modify_metadef_tag": "rule:metadef_admin",
    "delete_metadef_tag": "rule:metadef_admin",
    "delete_metadef_tags": "rule:metadef_admin",
    "add_metadef_resource_type_association": "rule:metadef_admin",
    "remove_metadef_resource_type_association": "rule:metadef_admin",
}
