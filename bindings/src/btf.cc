#include "btf.h"

#include <linux/btf.h>

#include <cstring>
#include <string>

namespace xmcast {
namespace {

constexpr uint32_t BITS_PER_BYTE = 8;
// Nested anonymous structs and arrays of arrays: deeper is a damaged file.
constexpr int MAX_DEPTH = 32;

// A type with its modifiers taken off, and the last name on the way.
struct Resolved {
  const btf_type* type;
  uint32_t id;
  std::string name;
};

struct ArrayShape {
  Resolved element;
  uint32_t elements;
};

bool isDataSection(const std::string& name) {
  return name.rfind(".rodata", 0) == 0 || name.rfind(".data", 0) == 0 || name.rfind(".bss", 0) == 0;
}

class LayoutBuilder {
 public:
  LayoutBuilder(Napi::Env env, const btf* types)
      : env_(env),
        types_(types),
        structs_(Napi::Object::New(env)),
        enumerators_(Napi::Object::New(env)),
        enums_(Napi::Object::New(env)),
        variables_(Napi::Array::New(env)) {}

  Napi::Object build() {
    const uint32_t count = types_ == nullptr ? 0 : btf__type_cnt(types_);
    // Type 0 is void.
    for (uint32_t id = 1; id < count; id++) addType(id);
    Napi::Object layout = Napi::Object::New(env_);
    layout.Set("structs", structs_);
    layout.Set("enumerators", enumerators_);
    layout.Set("enums", enums_);
    layout.Set("variables", variables_);
    return layout;
  }

 private:
  void addType(uint32_t id) {
    Napi::HandleScope scope(env_);
    const btf_type* type = typeAt(id);
    const std::string name = nameAt(type->name_off);
    if (btf_is_any_enum(type)) addEnum(type, name);
    if (btf_is_datasec(type)) addSection(type, name);
    if (btf_is_composite(type) && !name.empty()) addStruct(name, type);
    if (btf_is_typedef(type)) addAlias(id, name);
  }

  // A reference to a type that does not exist (damaged file) reads as void.
  const btf_type* typeAt(uint32_t id) const {
    const btf_type* type = btf__type_by_id(types_, id);
    return type != nullptr ? type : btf__type_by_id(types_, 0);
  }

  std::string nameAt(uint32_t offset) const {
    const char* name = btf__name_by_offset(types_, offset);
    return name == nullptr ? "" : name;
  }

  // Follows typedef, const, volatile, restrict and type tags.
  Resolved resolve(uint32_t id) const {
    std::string alias;
    const btf_type* type = typeAt(id);
    for (int depth = 0; depth < MAX_DEPTH && (btf_is_mod(type) || btf_is_typedef(type)); depth++) {
      if (btf_is_typedef(type)) alias = nameAt(type->name_off);
      id = type->type;
      type = typeAt(id);
    }
    const std::string own = nameAt(type->name_off);
    return {type, id, own.empty() ? alias : own};
  }

  // Arrays of arrays count as one array of all the elements.
  ArrayShape flatten(uint32_t id) const {
    ArrayShape shape{resolve(id), 1};
    for (int depth = 0; depth < MAX_DEPTH && btf_is_array(shape.element.type); depth++) {
      const auto* array = btf_array(shape.element.type);
      shape.elements *= array->nelems;
      shape.element = resolve(array->type);
    }
    return shape;
  }

  uint32_t sizeOf(uint32_t id) const {
    const int64_t size = btf__resolve_size(types_, id);
    return size < 0 ? 0 : static_cast<uint32_t>(size);
  }

  static bool isSigned(const btf_type* type) {
    if (btf_is_int(type)) return (btf_int_encoding(type) & BTF_INT_SIGNED) != 0;
    return btf_is_any_enum(type) && btf_kflag(type);
  }

  void addAlias(uint32_t id, const std::string& name) {
    const Resolved target = resolve(id);
    if (btf_is_composite(target.type)) addStruct(name, target.type);
    if (btf_is_any_enum(target.type)) enums_.Set(name, readEnum(target.type));
  }

  void addStruct(const std::string& name, const btf_type* type) {
    Napi::Array members = Napi::Array::New(env_);
    addMembers(members, type, 0, 0);
    Napi::Object layout = Napi::Object::New(env_);
    layout.Set("name", name);
    layout.Set("size", type->size);
    layout.Set("members", members);
    structs_.Set(name, layout);
  }

  void addMembers(Napi::Array& members, const btf_type* type, uint32_t base, int depth) {
    const auto* all = btf_members(type);
    for (uint32_t i = 0; i < btf_vlen(type); i++) {
      const uint32_t bit = btf_member_bit_offset(type, i);
      // Bitfields have no byte address; no struct of the ABI uses one.
      if (btf_member_bitfield_size(type, i) != 0 || bit % BITS_PER_BYTE != 0) continue;
      const uint32_t offset = base + bit / BITS_PER_BYTE;
      const std::string name = nameAt(all[i].name_off);
      const Resolved target = resolve(all[i].type);
      if (name.empty() && btf_is_composite(target.type)) {
        // Members of an unnamed struct or union are reached as if they were the outer one's.
        if (depth < MAX_DEPTH) addMembers(members, target.type, offset, depth + 1);
        continue;
      }
      members.Set(members.Length(), readMember(name, offset, all[i].type));
    }
  }

  Napi::Object readMember(const std::string& name, uint32_t offset, uint32_t id) const {
    const ArrayShape shape = flatten(id);
    const uint32_t elementSize = sizeOf(shape.element.id);
    Napi::Object member = Napi::Object::New(env_);
    member.Set("name", name);
    member.Set("offset", offset);
    member.Set("size", elementSize * shape.elements);
    member.Set("elementSize", elementSize);
    member.Set("elements", shape.elements);
    member.Set("signed", Napi::Boolean::New(env_, isSigned(shape.element.type)));
    member.Set("struct", btf_is_composite(shape.element.type) ? shape.element.name : "");
    return member;
  }

  Napi::Object readEnum(const btf_type* type) const {
    Napi::Object values = Napi::Object::New(env_);
    for (uint32_t i = 0; i < btf_vlen(type); i++) {
      if (btf_is_enum64(type)) {
        const auto* entry = btf_enum64(type) + i;
        const uint64_t bits = btf_enum64_value(entry);
        values.Set(nameAt(entry->name_off),
                   btf_kflag(type) ? static_cast<double>(static_cast<int64_t>(bits)) : static_cast<double>(bits));
      } else {
        const auto* entry = btf_enum(type) + i;
        values.Set(nameAt(entry->name_off),
                   btf_kflag(type) ? static_cast<double>(entry->val) : static_cast<double>(static_cast<uint32_t>(entry->val)));
      }
    }
    return values;
  }

  void addEnum(const btf_type* type, const std::string& name) {
    const Napi::Object values = readEnum(type);
    const Napi::Array names = values.GetPropertyNames();
    for (uint32_t i = 0; i < names.Length(); i++) enumerators_.Set(names.Get(i), values.Get(names.Get(i)));
    if (!name.empty()) enums_.Set(name, values);
  }

  void addSection(const btf_type* type, const std::string& section) {
    if (!isDataSection(section)) return;
    const auto* entries = btf_var_secinfos(type);
    for (uint32_t i = 0; i < btf_vlen(type); i++) {
      const btf_type* variable = typeAt(entries[i].type);
      Napi::Object entry = Napi::Object::New(env_);
      entry.Set("name", nameAt(variable->name_off));
      entry.Set("section", section);
      entry.Set("offset", entries[i].offset);
      entry.Set("size", entries[i].size);
      variables_.Set(variables_.Length(), entry);
    }
  }

  Napi::Env env_;
  const btf* types_;
  Napi::Object structs_;
  Napi::Object enumerators_;
  Napi::Object enums_;
  Napi::Array variables_;
};

}  // namespace

Napi::Object toLayout(Napi::Env env, const btf* types) {
  Napi::EscapableHandleScope scope(env);
  return scope.Escape(LayoutBuilder(env, types).build()).As<Napi::Object>();
}

}  // namespace xmcast
