/* SPDX-License-Identifier: MIT */
/* A list of tensors in memory, without files. */
#include "io/tensor_list.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"

ebm_status ebm__tensor_list_add(ebm__tensor_list *list, const ebm__tensor_place *place) {
    if (list->n == list->room) {
        int64_t room = 2 * list->room + 64;
        ebm__tensor_place *places;
        EBM__TRY(ebm__alloc(list->context, room, sizeof *places, "the list of tensors", &places));
        if (list->n > 0) {
            memcpy(places, list->places, (size_t)list->n * sizeof *places);
        }
        ebm__free(list->context, list->places);
        list->places = places;
        list->room = room;
    }
    list->places[list->n++] = *place;
    return EBM_OK;
}

void ebm__tensor_list_clear(ebm__tensor_list *list) {
    ebm__free(list->context, list->places);
    *list = (ebm__tensor_list){.context = list->context};
}

int64_t ebm__tensor_count(const ebm__tensor_place *place) { /* of what stands in memory, so it fits */
    int64_t n = 1;
    for (int32_t i = 0; i < place->rank; i++) {
        n *= place->shape[i];
    }
    return n;
}

int64_t ebm__tensor_bytes(const ebm__tensor_place *place) {
    return ebm__tensor_count(place) * ebm__dtypes[place->dtype].bytes;
}

int64_t ebm__tensor_list_bytes(const ebm__tensor_list *list) {
    int64_t bytes = 0;
    for (int64_t i = 0; i < list->n; i++) {
        bytes += ebm__tensor_bytes(&list->places[i]);
    }
    return bytes;
}

void ebm__tensor_list_pack(const ebm__tensor_list *list, uint8_t *packed) {
    for (int64_t i = 0; i < list->n; i++) {
        int64_t bytes = ebm__tensor_bytes(&list->places[i]);
        memcpy(packed, list->places[i].values, (size_t)bytes);
        packed += bytes;
    }
}

void ebm__tensor_list_unpack(const ebm__tensor_list *list, const uint8_t *packed) {
    for (int64_t i = 0; i < list->n; i++) {
        int64_t bytes = ebm__tensor_bytes(&list->places[i]);
        memcpy(list->places[i].values, packed, (size_t)bytes);
        packed += bytes;
    }
}
