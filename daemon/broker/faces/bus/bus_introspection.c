#include "bus_introspection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char head[] = "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n"
			   "\"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n"
			   "<node>\n"
			   " <interface name=\"org.freedesktop.DBus.Peer\">\n"
			   "  <method name=\"Ping\"/>\n"
			   "  <method name=\"GetMachineId\">\n"
			   "   <arg type=\"s\" name=\"machine_uuid\" direction=\"out\"/>\n"
			   "  </method>\n"
			   " </interface>\n"
			   " <interface name=\"org.freedesktop.DBus.Introspectable\">\n"
			   "  <method name=\"Introspect\">\n"
			   "   <arg name=\"xml_data\" type=\"s\" direction=\"out\"/>\n"
			   "  </method>\n"
			   " </interface>\n";

static const char properties[] = " <interface name=\"org.freedesktop.DBus.Properties\">\n"
				 "  <method name=\"Get\">\n"
				 "   <arg name=\"interface_name\" type=\"s\" direction=\"in\"/>\n"
				 "   <arg name=\"property_name\" type=\"s\" direction=\"in\"/>\n"
				 "   <arg name=\"value\" type=\"v\" direction=\"out\"/>\n"
				 "  </method>\n"
				 "  <method name=\"GetAll\">\n"
				 "   <arg name=\"interface_name\" type=\"s\" direction=\"in\"/>\n"
				 "   <arg name=\"props\" type=\"a{sv}\" direction=\"out\"/>\n"
				 "  </method>\n"
				 "  <method name=\"Set\">\n"
				 "   <arg name=\"interface_name\" type=\"s\" direction=\"in\"/>\n"
				 "   <arg name=\"property_name\" type=\"s\" direction=\"in\"/>\n"
				 "   <arg name=\"value\" type=\"v\" direction=\"in\"/>\n"
				 "  </method>\n"
				 "  <signal name=\"PropertiesChanged\">\n"
				 "   <arg type=\"s\" name=\"interface_name\"/>\n"
				 "   <arg type=\"a{sv}\" name=\"changed_properties\"/>\n"
				 "   <arg type=\"as\" name=\"invalidated_properties\"/>\n"
				 "  </signal>\n"
				 " </interface>\n";

static const char object_manager[] =
	" <interface name=\"org.freedesktop.DBus.ObjectManager\">\n"
	"  <method name=\"GetManagedObjects\">\n"
	"   <arg type=\"a{oa{sa{sv}}}\" name=\"object_paths_interfaces_and_properties\" direction=\"out\"/>\n"
	"  </method>\n"
	"  <signal name=\"InterfacesAdded\">\n"
	"   <arg type=\"o\" name=\"object_path\"/>\n"
	"   <arg type=\"a{sa{sv}}\" name=\"interfaces_and_properties\"/>\n"
	"  </signal>\n"
	"  <signal name=\"InterfacesRemoved\">\n"
	"   <arg type=\"o\" name=\"object_path\"/>\n"
	"   <arg type=\"as\" name=\"interfaces\"/>\n"
	"  </signal>\n"
	" </interface>\n";

static void write_node(FILE *out, const char *path)
{
	fprintf(out, " <node name=\"%s\"/>\n", strrchr(path, '/') + 1);
}

/* The objects in a folder. */
static void write_nodes(FILE *out, const struct registry *registry, enum bus_node below)
{
	const struct topology *topology = host_topology(registry->host);
	const struct device *device, *member;
	char path[BUS_PATH_MAX];
	size_t cursor = 0;

	while (below != BUS_NODE_CLAIM && (device = topology_each(topology, &cursor))) {
		if (below == BUS_NODE_DEVICE)
			write_node(out, bus_path_of_device(device->name, path));
		/* A group stands there once, for its first member. */
		else if (device->group >= 0 && topology_members(topology, device->group, &member, 1) > 0 &&
			 strcmp(member->name, device->name) == 0)
			write_node(out, bus_path_of_group(device->group, path));
	}
	for (const struct claim *claim = ledger_first(registry->ledger); claim && below == BUS_NODE_CLAIM;
	     claim = ledger_next(claim))
		write_node(out, bus_path_of_claim(claim->id, path));
}

char *bus_introspection_text(const struct arbiter *arbiter, const struct bus_object_name *object)
{
	const char *interface = bus_interface_of(object->node);
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool failed;

	if (!out)
		return NULL;
	fputs(head, out);
	if (interface)
		fputs(properties, out);
	if (object->node == BUS_NODE_MANAGER)
		fputs(object_manager, out);
	for (const struct bus_interface_text *entry = bus_interface_texts; interface && entry->name; entry++)
		if (strcmp(entry->name, interface) == 0)
			fputs(entry->text, out);
	if (object->node == BUS_NODE_MANAGER)
		fputs(" <node name=\"device\"/>\n <node name=\"group\"/>\n <node name=\"claim\"/>\n", out);
	if (object->node == BUS_NODE_FOLDER)
		write_nodes(out, arbiter_registry(arbiter), object->below);
	fputs("</node>\n", out);
	failed = ferror(out);
	if (fclose(out) != 0 || failed) {
		free(text);
		return NULL;
	}
	return text;
}
